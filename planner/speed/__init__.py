"""Seconds: of a step, of a run, and what a run costs. Bytes stand in planner.memory."""
