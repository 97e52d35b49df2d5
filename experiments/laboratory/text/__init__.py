"""What a cloud that runs the middle of a language model learns of texts, and how."""
