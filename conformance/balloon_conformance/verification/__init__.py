"""Whether the vectors are true: their form, their intent, their bytes by a second encoder, their playing."""
