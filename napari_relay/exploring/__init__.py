"""What a prediction rests on: probes, what-if runs, and what each relay token looks for."""
