# syntax=docker/dockerfile:1

# A node of adda: the release binary, the web page, and the certificates of the public authorities.
#
#   docker build -t adda .
#   docker run -p 127.0.0.1:8080:8080 -e JWT_SECRET=… -v adda:/data adda

FROM node:22-bookworm-slim AS page
WORKDIR /adda
COPY proto proto
COPY buf.yaml ./
COPY clients/web clients/web
RUN --mount=type=cache,target=/root/.npm \
    bash clients/web/build.sh

FROM rust:1.95-slim-bookworm AS build
# SQLite and jemalloc are built from source; the image has gcc.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /adda
COPY . .
# Names of functions stay, for the places of panics; lines go, which are four fifths of the size.
ENV CARGO_PROFILE_RELEASE_DEBUG=false
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/adda/target \
    cargo build --release --locked --bin adda \
    && install -m 0755 target/release/adda /usr/local/bin/adda

FROM debian:bookworm-slim
# The newest there is: Debian keeps no others.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin adda \
    && install -d -o adda -g adda /data
COPY --from=build /usr/local/bin/adda /usr/local/bin/adda
COPY --from=page /adda/clients/web/packages/page/dist /usr/local/share/adda/page
USER 10001:10001
# Where SQLite is, if that is the store.
WORKDIR /data
VOLUME /data
# 9090 is for operators (metrics, probes): do not publish it.
ENV ADDA_LISTEN=0.0.0.0:8080 \
    ADDA_PAGE=/usr/local/share/adda/page \
    ADDA_ADMIN_LISTEN=0.0.0.0:9090 \
    ADDA_LOG=json
EXPOSE 8080 9090
# It lives. Whether to send clients there is another question: /readyz, for who balances.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9090 && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q '^HTTP/1.[01] 200' <&3"]
# SIGTERM, then up to --drain-timeout (20 s): give it more than Docker's 10 s (--stop-timeout 30).
STOPSIGNAL SIGTERM
ENTRYPOINT ["adda"]
CMD ["serve"]
