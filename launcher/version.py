"""The version of tlplan, where it can be read in no time."""

VERSION = "0.1.0"
