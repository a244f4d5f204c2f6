# Hosts that never become ready are replaced after boot_timeout; the job's create goes on waiting.
pool linux idle=0 limit=10 idle-time=10m boot=never boot-timeout=3m
jobs linux 2 lasting=1m
run 4m
pool linux idle=0 limit=10 idle-time=10m boot=40s boot-timeout=3m
run 5m
summary linux
