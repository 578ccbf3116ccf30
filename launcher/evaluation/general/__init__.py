"""A small suite of general tasks and text, made for this project, to see what is forgotten.

tasks.jsonl: a beginning and four ways to go on, the first one right. texts.jsonl: plain prose.
"""
