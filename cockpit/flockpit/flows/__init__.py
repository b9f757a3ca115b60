"""`flockpit curl`: a person's own flow taken apart, as text, as JSON and as a picture."""
