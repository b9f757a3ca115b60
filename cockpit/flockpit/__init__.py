"""flockpit: a visual cockpit for flocks of machines."""
