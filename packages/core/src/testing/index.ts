// The public entry of @allium/core.
export {};
