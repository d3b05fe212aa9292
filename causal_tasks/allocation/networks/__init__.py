"""Networks that forecast outcomes and costs; importing a module of this package imports torch."""
