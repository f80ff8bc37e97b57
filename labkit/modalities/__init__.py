"""What an input is: one file a modality. Only tasks know them."""
