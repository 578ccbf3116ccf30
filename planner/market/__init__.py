"""Which card to run on: the same job on many cards, rented or owned, in hours and money."""
