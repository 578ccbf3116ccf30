"""Every way to run a job on one card: the fastest that fits, and what each choice costs."""
