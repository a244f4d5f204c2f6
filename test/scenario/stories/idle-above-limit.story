# IdleCount 50 with limit 20, as the documentation's example has it: twenty machines, and it says why no more.
concurrent 10
pool linux idle=50 limit=20 idle-time=10m boot=40s
run 3m
jobs linux 10 lasting=2m
run 5m
summary linux
