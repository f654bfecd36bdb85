# One image with every binary; what a container runs is its command.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --locked --release \
      --package postroom --package account-manager --package token-refresher --package imap-fetcher --package smtp-sender

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /data postroom \
 && install --directory --owner postroom --mode 0700 /data /mail
COPY --from=build /src/target/release/postroom /src/target/release/account-manager /src/target/release/token-refresher \
     /src/target/release/imap-fetcher /src/target/release/smtp-sender /usr/local/bin/
USER postroom
ENV POSTROOM_DATA_DIR=/data POSTROOM_LISTEN=0.0.0.0:8080
EXPOSE 8080
VOLUME ["/data", "/mail"]
CMD ["postroom", "run"]
