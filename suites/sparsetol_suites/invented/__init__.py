"""Documents about people and places that do not exist, made of facts that a question can ask for."""
