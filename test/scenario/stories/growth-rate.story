# MaxGrowthRate 4: at most four machines on their way at a time, however many jobs wait.
pool linux idle=0 limit=40 idle-time=10m boot=40s max-coming=4
jobs linux 10 lasting=10m
run 5m
summary linux
