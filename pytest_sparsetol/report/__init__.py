"""How results reach people and programs: terminal, JUnit, JSON."""
