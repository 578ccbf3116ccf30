"""A monkey at the keyboard: random keys, sizes, signals and vanishing files on the real program.

    python -m tests.monkey.campaign [--count 200] [--seed N] [--jobs 2] [--only WORDS]

Whatever it does, tlplan must end with a code of its own, leave the terminal as it was, write no
report of a bug, and not hang.
"""
