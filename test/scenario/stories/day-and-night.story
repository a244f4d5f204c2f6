# The article's file: IdleCount 0 at night, 10 in the daytime (scaled to the jobs, at least 2), Asia/Tokyo.
# Machines stand ready when the day begins, at 09:00:00 and not a boot later; nothing is retired at 08:59.
at 2026-11-23T08:50:00+09:00
concurrent 20
pool linux idle=0 limit=20 idle-time=5m boot=90s period="* * 9-17 * * mon-fri *" period-idle=10 idle-min=2 idle-scale=0.5 zone=Asia/Tokyo
jobs linux 1 lasting=3m
run 12m
summary linux
jobs linux 12 lasting=20m
run 30m
summary linux
# Evening: the day's machines end after their IdleTime.
run 9h
summary linux
