"""What a contract's items can show, and how many a release needs. Nothing here loads a model."""
