"""What `tlplan demo` learns from."""
