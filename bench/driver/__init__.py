"""What `bench/run` is made of: building, running programs, taking turns, arithmetic, tables."""
