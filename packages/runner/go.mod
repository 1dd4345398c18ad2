module nanoclaw/runner

go 1.19
