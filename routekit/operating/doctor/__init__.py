"""Doctor: looks at all that a daemon needs, before it is started or when it is ill, and says what to do."""
