"""The documents as a site of static pages: `deploy/site/build`."""
