"""Makes the image: file system (`root`), bill of materials (`deploy.sbom`), archive (`archive`)."""
