// Package mapping compiles flows: YAML files that say which record becomes
// which object at which connection, with CEL expressions for the condition
// and each field. Everything is type-checked when it is compiled, against the
// canonical entities and the connector's declared fields; a compiled flow is a
// pure function from a record to fields.
package mapping
