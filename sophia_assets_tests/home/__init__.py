"""Where a company's state lies, and the settings that a process reads."""
