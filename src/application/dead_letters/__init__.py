"""Dead letters: inspecting, redriving, dropping and copying events that a consumer could not handle."""
