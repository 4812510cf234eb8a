"""Makes webhook calls and sends them: simulated nights, the dialects, disorder, HTTP."""
