"""What stops a build of the static site."""

from flockcore.errors import FlockError

__all__ = ["SiteError"]


class SiteError(FlockError):
    """The site cannot be built; the message names the file or the step, and what to do."""
