"""What attention and MLP cost: FLOPs of a prompt, bytes of a generated token; and models compared at equal cost."""
