"""`python -m chengshu` is the command `chengshu`."""

from chengshu.cli import main

main()
