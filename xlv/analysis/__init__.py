"""Arrays in, arrays out: concept vectors, recognition, consistency and transfer."""
