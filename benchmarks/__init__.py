"""What this machine can do with chengshu; `python -m benchmarks` prints JSON lines (docs/how-to/benchmark.md)."""
