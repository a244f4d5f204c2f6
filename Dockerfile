# The daemon's image: Debian, one Node binary, hostler's sources (Node runs TypeScript as it is) and its packages.
# It runs as user 10001 and needs no capability; state, store and socket are volumes. See docs/install.md.
FROM node:24-bookworm-slim AS node

FROM node AS packages
WORKDIR /opt/hostler
COPY package.json package-lock.json .npmrc ./
# The optional packages are Node itself, which is here, and native parts of ssh2, which it does without. Newer npm versions
# refuse `ci` when the lock file lacks another platform's optional package; `install --no-save` keeps to the lock as well.
RUN set -- --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund --loglevel=error \
 && { npm ci "$@" 2>/dev/null || npm install --no-save "$@"; }

FROM debian:bookworm-slim
COPY --from=node /usr/local/bin/node /usr/local/bin/node
# The group is the one that shares socket and store with the runner's image (deploy/compose/gitlab-runner.dockerfile).
RUN groupadd --gid 10001 hostler \
 && useradd --uid 10001 --gid 10001 --home-dir /var/lib/hostler --no-create-home --shell /usr/sbin/nologin hostler \
 && install -d -o hostler -g hostler -m 0700 /var/lib/hostler /var/cache/hostler \
 && install -d -o hostler -g hostler -m 0750 /run/hostler \
 && install -d -o root -g hostler -m 2770 /var/lib/docker-machine /var/lib/docker-machine/machines \
 && ln -s /opt/hostler/bin/hostler /usr/local/bin/hostler
WORKDIR /opt/hostler
COPY --from=packages /opt/hostler/node_modules node_modules
COPY package.json LICENSE ./
COPY bin bin
COPY src src
ENV NODE_ENV=production \
    NODE_COMPILE_CACHE=/var/cache/hostler \
    MACHINE_STORAGE_PATH=/var/lib/docker-machine \
    HOSTLER_STATE_DIR=/var/lib/hostler \
    HOSTLER_SOCKET=/run/hostler/hostler.sock \
    HOSTLER_LISTEN_ADDRESS=:9252
USER 10001:10001
# Stripping types and compiling is done here once, as the user that will run it: Node keeps one cache a user.
RUN node -e "import('/opt/hostler/src/daemon.ts')" && bin/hostler --help >/dev/null && bin/hostler version
VOLUME ["/var/lib/hostler", "/var/lib/docker-machine", "/run/hostler"]
EXPOSE 9252
# SIGTERM ends the daemon within 10 s and touches no host.
STOPSIGNAL SIGTERM
# Red when the loop stands still or the store cannot be written.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "-e", "const { HOSTLER_LISTEN_ADDRESS: at } = process.env; fetch(`http://${at.startsWith(':') ? '127.0.0.1' : ''}${at}/healthz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["/opt/hostler/bin/hostler"]
CMD ["run", "--config", "/etc/hostler/config.toml"]
