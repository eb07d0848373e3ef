"""One run spread over several machines."""
