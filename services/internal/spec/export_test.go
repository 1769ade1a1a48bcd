package spec

// Folder is for tests, which can't use what is opened once per process.
var Folder = folder
