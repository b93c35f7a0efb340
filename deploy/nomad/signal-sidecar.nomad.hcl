# A Nomad job that runs signal-sidecar in a container on each signal node, beside jicofo and prosody.
#
#   nomad job run -var datacenters='["dc1"]' -var environment=prod -var domain=meet.example.com \
#     -var image=ghcr.io/signal-sidecar/signal-sidecar:1.0.0 signal-sidecar.nomad.hcl
#
# The docker driver must be allowed to mount folders of the node. By default it is not. Set this in the configuration of
# the Nomad client on each node: plugin "docker" { config { volumes { enabled = true } } }

variable "datacenters" {
  type = list(string)
}

variable "environment" {
  type = string
}

variable "domain" {
  type        = string
  description = "The domain of the shards, such as meet.example.com."
}

variable "image" {
  type        = string
  description = "The image of the Dockerfile, in a registry that the nodes can reach. Use a tag that never changes."
}

variable "census_host" {
  type        = string
  default     = ""
  description = "The domain in prosody, if it is not that of the variable domain; without \"conference.\" before it."
}

variable "otlp_traces_endpoint" {
  type        = string
  default     = ""
  description = "URL of a Collector, such as http://10.0.0.2:4318/v1/traces. If it is empty, no traces are pushed."
}

job "signal-sidecar" {
  datacenters = var.datacenters
  type        = "system" # one on each node that matches the constraint

  # The configuration of the Nomad client on each node must have: meta { pool_type = "shard", shard = "prod-1", … }.
  constraint {
    attribute = "${meta.pool_type}"
    value     = "shard"
  }

  # An update changes one node at a time. If the new sidecar does not become healthy, Nomad goes back to the old
  # version. In versions of Nomad without deployments of system jobs, only max_parallel and stagger have an effect: one
  # node every 30 s, healthy or not.
  update {
    max_parallel     = 1
    min_healthy_time = "20s"
    healthy_deadline = "3m"
    auto_revert      = true
    stagger          = "30s"
  }

  group "signal-sidecar" {
    # Nomad chooses the ports. HAProxy and Prometheus get them from the meta data of the service. The status page is at
    # the port http. PAGE_PORT is not needed, because browsers refuse no port from 20000 to 32000, from which Nomad
    # chooses.
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

    # deploy/consul-template/haproxy.cfg.ctmpl makes HAProxy's configuration from this.
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

      # This checks the sidecar itself, not the node. Nomad restarts a sidecar that does not reply.
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
        # The folder is mounted and not the file, so that the file can be replaced by rename. It is writable, because
        # the value from Consul is written to the file. The file or the folder must belong to the user above: chown
        # 65532 /etc/jitsi/shard-status
        volumes = ["/etc/jitsi:/etc/jitsi"]

        # Keeps the state of the flap mitigation, so that a restart or a new allocation does not change the reply.
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
        CENSUS_HOST         = var.census_host != "" ? var.census_host : var.domain
        WEIGHT_PARTICIPANTS = "true"

        # The sidecar uses the Consul agent on the node. CONSUL_HTTP_ADDR names another one. Jitsi's tools use these
        # keys.
        CONSUL_STATUS     = "true"
        CONSUL_STATUS_KEY = "shard-states/${var.environment}/{jitsi.shard}"
        CONSUL_REPORTS    = "true"
        CONSUL_REPORT_KEY = "signal-report/${var.environment}/{jitsi.shard}"

        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT = var.otlp_traces_endpoint
        OTEL_RESOURCE_ATTRIBUTES           = "jitsi.shard=${meta.shard},deployment.environment.name=${var.environment}"
      }

      resources {
        cpu        = 50  # MHz
        memory     = 128 # MB: at least eight times the largest census of a shard (docs/performance.md)
        memory_max = 300 # MB: has an effect if the cluster allows memory oversubscription
      }
    }
  }
}
