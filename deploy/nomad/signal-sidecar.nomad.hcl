# signal-sidecar in a container under Nomad, one on each signal node, beside its jicofo and prosody.
#
#   nomad job run -var datacenters='["dc1"]' -var environment=prod -var domain=meet.example.com \
#     -var image=ghcr.io/signal-sidecar/signal-sidecar:1.0.0 signal-sidecar.nomad.hcl
#
# The client configuration of each node must allow the docker driver to mount folders of the node, which it does not by
# default: plugin "docker" { config { volumes { enabled = true } } }

variable "datacenters" {
  type = list(string)
}

variable "environment" {
  type = string
}

variable "domain" {
  type = string
}

variable "image" {
  type        = string
  description = "The image that the Dockerfile makes, in a registry that the nodes reach, with a tag that does not move."
}

variable "census_host" {
  type        = string
  default     = "meet.example.com"
  description = "The domain of the shard, without conference. before it: prosody's mod_muc_census adds that itself."
}

variable "otlp_traces_endpoint" {
  type        = string
  default     = ""
  description = "Of a Collector, such as http://10.0.0.2:4318/v1/traces; nothing is pushed without it."
}

job "signal-sidecar" {
  datacenters = var.datacenters
  type        = "system" # one on each node that fits

  # The client configuration of each node contains its kind: meta { pool_type = "shard", shard = "prod-1", … }.
  constraint {
    attribute = "${meta.pool_type}"
    value     = "shard"
  }

  # One node at a time, and back again by itself when the new one does not get healthy. Where Nomad has no deployments of
  # system jobs yet, only max_parallel and stagger hold: one node every 30 s, healthy or not.
  update {
    max_parallel     = 1
    min_healthy_time = "20s"
    healthy_deadline = "3m"
    auto_revert      = true
    stagger          = "30s"
  }

  group "signal-sidecar" {
    # Nomad chooses the ports. HAProxy and Prometheus learn of them through the metas of the service. The status page is at the
    # port http: Nomad chooses from 20000 to 32000, where browsers block no port, so PAGE_PORT is not needed.
    network {
      mode = "host"
      port "http" {}
      port "agent" {}
    }

    restart {
      attempts = 3
      interval = "5m"
      delay    = "5s"
      mode     = "delay"
    }

    # How HAProxy's configuration is made of this: deploy/consul-template/haproxy.cfg.ctmpl.
    service {
      name = "signal"
      port = "http"

      meta {
        environment               = var.environment
        domain                    = var.domain
        shard                     = "${meta.shard}"
        shard_id                  = "${meta.shard_id}"
        release_number            = "${meta.release_number}"
        http_backend_port         = "443"
        signal_sidecar_agent_port = "${NOMAD_HOST_PORT_agent}"
        signal_sidecar_http_ip    = "${NOMAD_IP_http}"
        signal_sidecar_http_port  = "${NOMAD_HOST_PORT_http}"
      }

      # Of the sidecar itself, whatever the node's verdict is: Nomad restarts a sidecar that does not answer.
      check {
        name     = "signal-sidecar"
        type     = "http"
        path     = "/health"
        interval = "10s"
        timeout  = "2s"

        check_restart {
          limit = 3
          grace = "30s"
        }
      }
    }

    task "signal-sidecar" {
      driver = "docker"
      user   = "65532:65532"

      config {
        image           = var.image
        network_mode    = "host" # jicofo and prosody listen on the node's loopback
        ports           = ["http", "agent"]
        cap_drop        = ["ALL"]
        security_opt    = ["no-new-privileges"]
        readonly_rootfs = true
        # The folder, so that the file can be replaced by rename. It is writable, because Consul's word is written to the
        # file; for that, the file or the folder belongs to the user above: chown 65532 /etc/jitsi/shard-status.
        volumes = ["/etc/jitsi:/etc/jitsi"]

        # The state of the flap mitigation, so that a restart or a new allocation changes no reply.
        mount {
          type   = "volume"
          source = "signal-sidecar-state"
          target = "/var/lib/signal-sidecar"
        }
      }

      env {
        HTTP_PORT           = "${NOMAD_PORT_http}"
        TCP_PORT            = "${NOMAD_PORT_agent}"
        STATUS_PATH         = "/etc/jitsi/shard-status"
        CENSUS_POLL         = "true"
        CENSUS_HOST         = var.census_host
        WEIGHT_PARTICIPANTS = "true"

        # Consul's agent on the node; for another one: CONSUL_HTTP_ADDR. The keys are Jitsi's.
        CONSUL_STATUS     = "true"
        CONSUL_STATUS_KEY = "shard-states/${var.environment}/{jitsi.shard}"
        CONSUL_REPORTS    = "true"
        CONSUL_REPORT_KEY = "signal-report/${var.environment}/{jitsi.shard}"

        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT = var.otlp_traces_endpoint
        OTEL_RESOURCE_ATTRIBUTES           = "jitsi.shard=${meta.shard},deployment.environment.name=${var.environment}"
      }

      resources {
        cpu        = 50  # MHz
        memory     = 128 # MB; what it uses: docs/performance.md; eight times the largest census that a shard may have
        memory_max = 300 # where the cluster allows it
      }
    }
  }
}
