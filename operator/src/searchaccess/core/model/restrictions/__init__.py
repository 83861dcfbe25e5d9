"""What a grant restricts: documents and fields, and what several grants come to."""
