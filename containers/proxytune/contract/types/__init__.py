"""Types of what crosses from TypeScript to Python: `npm run schemas` writes a module for each schema."""
