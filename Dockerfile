# An image that contains only signal-sidecar: docker build -t signal-sidecar .
# The static binary is the same as that of make build.

FROM --platform=$BUILDPLATFORM golang:1.26.9-bookworm@sha256:d9c68c2c51161e12fd77e4c6320687c9cd86e1af1e3ad6e6cd63ff970641453c AS build
ARG GOPROXY=https://proxy.golang.org,direct
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS=linux
ARG TARGETARCH
RUN --mount=type=cache,target=/root/.cache/go-build GOOS=$TARGETOS GOARCH=$TARGETARCH make build
RUN --mount=type=cache,target=/root/.cache/go-build install -d /image/usr/share/doc/signal-sidecar \
    && make --silent licenses > /image/usr/share/doc/signal-sidecar/THIRD_PARTY_LICENSES \
    && install -m 0644 LICENSE /image/usr/share/doc/signal-sidecar/LICENSE
# The image also has the CA certificates for probes and OTLP over TLS, a folder for temporary files, a folder for the
# state of the flap mitigation (mount a volume there, so that a new container continues with it), and the status file.
# It begins with drain: the node gets no users before somebody writes ready.
RUN install -D -m 0755 signal-sidecar /image/usr/bin/signal-sidecar \
    && install -D -m 0644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt \
    && install -d -m 1777 /image/tmp \
    && install -d /status /state \
    && echo drain > /status/shard-status

FROM scratch
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="signal-sidecar" \
      org.opencontainers.image.description="Reports to HAProxy, Prometheus and people whether users may be sent to a Jitsi signal node" \
      org.opencontainers.image.source="https://github.com/signal-sidecar/signal-sidecar" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image /
COPY --from=build --chown=65532:65532 /status/shard-status /etc/jitsi/shard-status
COPY --from=build --chown=65532:65532 /state /var/lib/signal-sidecar
ENV STATE_PATH=/var/lib/signal-sidecar/state.json
USER 65532:65532
# REST and metrics, the same for browsers (PAGE_PORT=6001), the HAProxy agent, the held agent (TCP_HOLD_PORT=6061)
EXPOSE 6000 6001 6060 6061
# Of the sidecar itself, not of the node: what restarts unhealthy containers (Swarm, autoheal) must not restart the
# sidecar of a node that is down. Its exit codes are 0 and 1 only; docker reserves 2.
HEALTHCHECK --interval=10s --timeout=6s --start-period=15s CMD ["/usr/bin/signal-sidecar", "status", "--self"]
ENTRYPOINT ["/usr/bin/signal-sidecar"]
