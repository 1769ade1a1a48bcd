package row

// Names of the system columns that code outside this package reads.
const (
	ColumnTenant  = "_tenant"
	ColumnRowID   = "_row_id"
	ColumnEpoch   = "_epoch"
	ColumnSeq     = "_seq"
	ColumnSynced  = "_synced_at"
	ColumnID      = "_id"
	ColumnVersion = "_version"
	ColumnDeleted = "_deleted"
	columnRaw     = "_raw"
	columnIssues  = "_problems"
)

// originColumns say where a row comes from. Every table starts with them.
func originColumns() []Column {
	return []Column{
		{ColumnTenant, Text, true, "Tenant"},
		{ColumnRowID, Text, true, "Id of the row: stream, its creation, sequence and table; the same whenever the row is made again"},
		{ColumnEpoch, Timestamp, true, "When the source stream was created; sequences start again with a new stream"},
		{ColumnSeq, Int, true, "Sequence in the source stream: HUB for records, EVENTS for outcomes and events"},
		{ColumnSynced, Timestamp, true, "When the source stream stored the message; moves with every change, deletes too"},
		{"_schema_version", Int, true, "Version of the meaning of the columns"},
	}
}

// recordColumns are the system columns of a log table.
func recordColumns() []Column {
	return []Column{
		{ColumnID, Text, true, "Id of the record, the hub's"},
		{"_key", Text, true, "entity/id; what the links of other tables hold"},
		{ColumnVersion, Int, true, "Version of the record, from 1"},
		{"_event_time", Timestamp, false, "Latest source time in the record"},
		{ColumnDeleted, Bool, true, "The owner of the record has deleted it"},
		{"_op", Text, true, "c: first version, u: later one, d: deleted"},
		{columnIssues, JSON, false, "Values that did not fit their column: [{column, problem}]; _raw has them"},
		{columnRaw, JSON, false, "The golden record as it stood in HUB; null when it was too large for a message"},
	}
}

func outcomesTable() *Table {
	return &Table{
		Name: TableOutcomes, Doc: "What came of each write to a connected system",
		Columns: append(
			originColumns(),
			Column{"event_id", Text, true, "Id of the event that told the outcome"},
			Column{"connection", Text, true, "Name of the connection"},
			Column{"entity", Text, false, "Canonical kind of the object"},
			Column{"object", Text, true, "The vendor's type"},
			Column{"record", Text, true, "Key of the record: entity/id"},
			Column{"state", Text, true, "done, held or quarantined"},
			Column{"effect", Text, false, "created, updated, unchanged, voided or deleted"},
			Column{"external_id", Text, false, "The vendor's id"},
			Column{"number", Text, false, "The vendor's number, for people"},
			Column{"url", Text, false, "Page of the object at the vendor"},
			Column{"document_hash", Text, true, "Content hash of the document that was written"},
			Column{"document_seq", Int, true, "Sequence of that document in HUB"},
			Column{"attempts", Int, false, "Tries that the document took"},
			Column{"error_kind", Text, false, "Kind of the fault, for held and quarantined"},
			Column{"error_message", Text, false, "The fault in words"},
			Column{"error_field", Text, false, "Path of the field at fault"},
			Column{"error_code", Text, false, "Code of the fault"},
			Column{"written_at", Timestamp, false, "When the write ended"},
			Column{"trace_id", Text, false, "Trace that the event began in"},
		),
	}
}

func eventsTable() *Table {
	return &Table{
		Name: TableEvents, Doc: "Every event: what each system said and what Spoke wrote",
		Columns: append(
			originColumns(),
			Column{"id", Text, true, "CloudEvents id"},
			Column{"source", Text, true, "CloudEvents source"},
			Column{"type", Text, true, "CloudEvents type"},
			Column{"subject", Text, false, "CloudEvents subject: object/id at the source"},
			Column{"time", Timestamp, false, "When the source made the change"},
			Column{"connection", Text, true, "Name of the connection or upstream"},
			Column{"entity", Text, true, "Canonical kind of the object"},
			Column{"op", Text, true, "changed, deleted, restored or written"},
			Column{"external_id", Text, true, "Last part of the event's subject on EVENTS: the object's id"},
			Column{"data", JSON, false, "The event's data"},
			Column{"trace_id", Text, false, "Trace that the event began in"},
		),
	}
}
