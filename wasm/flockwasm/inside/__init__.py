"""What runs in the browser: imports from an archive, and the cockpit's document in a worker."""
