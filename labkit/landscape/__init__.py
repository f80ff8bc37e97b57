"""The optimizer as a walker in mountains: surfaces, walks over them, slices of a real loss."""
