# gitlab-runner with hostler's docker-machine and the Node it needs. Built from the repository's root:
#   docker build -f deploy/compose/gitlab-runner.dockerfile .
# The base must be a flavour with glibc (latest, ubuntu-…): this Node does not run on Alpine's musl.
ARG RUNNER_IMAGE=gitlab/gitlab-runner:latest
FROM node:24-bookworm-slim AS node

FROM ${RUNNER_IMAGE}
COPY --from=node /usr/local/bin/node /usr/local/bin/node
# The docker-machine door and what it loads; it needs no packages.
COPY package.json LICENSE /opt/hostler/
COPY bin/docker-machine /opt/hostler/bin/docker-machine
COPY src/main.ts /opt/hostler/src/main.ts
COPY src/domain /opt/hostler/src/domain
COPY src/contract /opt/hostler/src/contract
COPY src/doors/docker-machine /opt/hostler/src/doors/docker-machine
# /usr/local/bin comes before /usr/bin, where the base image may have a docker-machine of its own. Certificates are made by
# the daemon, so nothing has to be created ahead; the last line shows that the door works in this image.
RUN groupadd --gid 10001 hostler \
 && install -d -o root -g hostler -m 2770 /var/lib/docker-machine /var/lib/docker-machine/machines \
 && ln -s /opt/hostler/bin/docker-machine /usr/local/bin/docker-machine \
 && docker-machine version
ENV MACHINE_STORAGE_PATH=/var/lib/docker-machine \
    HOSTLER_SOCKET=/run/hostler/hostler.sock
