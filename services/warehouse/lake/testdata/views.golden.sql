-- Views over the files of a Spoke lake, for DuckDB 1.4 and later.
-- Generated when the lake is opened; changes are lost.
--
-- <entity>        the latest version of each record that is not deleted; "order" needs its quotes
-- <entity>_log    every observed version
-- outcomes        what came of each write
-- events          every event

CREATE OR REPLACE VIEW "company_log" AS
SELECT
    "date",
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "_id",
    "_key",
    "_version",
    "_event_time",
    "_deleted",
    "_op",
    "_problems",
    "_raw",
    "city",
    "country",
    "currency",
    "_custom",
    "domain",
    "email",
    "name",
    "phone",
    "state",
    "street",
    "tax_id",
    "zip"
FROM read_parquet('/srv/lake/company_log/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
QUALIFY row_number() OVER (PARTITION BY "date", "_row_id") = 1;

CREATE OR REPLACE VIEW "company" AS
SELECT
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "_id",
    "_key",
    "_version",
    "_event_time",
    "_deleted",
    "_op",
    "_problems",
    "_raw",
    "city",
    "country",
    "currency",
    "_custom",
    "domain",
    "email",
    "name",
    "phone",
    "state",
    "street",
    "tax_id",
    "zip"
FROM (
    FROM read_parquet('/srv/lake/company_log/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
    QUALIFY row_number() OVER (PARTITION BY "_tenant", "_id" ORDER BY "_epoch" DESC, "_version" DESC, "_seq" DESC) = 1
)
WHERE NOT "_deleted";

CREATE OR REPLACE VIEW "contact_log" AS
SELECT
    "date",
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "_id",
    "_key",
    "_version",
    "_event_time",
    "_deleted",
    "_op",
    "_problems",
    "_raw",
    "company",
    "_custom",
    "email",
    "first_name",
    "last_name",
    "phone"
FROM read_parquet('/srv/lake/contact_log/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
QUALIFY row_number() OVER (PARTITION BY "date", "_row_id") = 1;

CREATE OR REPLACE VIEW "contact" AS
SELECT
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "_id",
    "_key",
    "_version",
    "_event_time",
    "_deleted",
    "_op",
    "_problems",
    "_raw",
    "company",
    "_custom",
    "email",
    "first_name",
    "last_name",
    "phone"
FROM (
    FROM read_parquet('/srv/lake/contact_log/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
    QUALIFY row_number() OVER (PARTITION BY "_tenant", "_id" ORDER BY "_epoch" DESC, "_version" DESC, "_seq" DESC) = 1
)
WHERE NOT "_deleted";

CREATE OR REPLACE VIEW "credit_note_log" AS
SELECT
    "date",
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "_id",
    "_key",
    "_version",
    "_event_time",
    "_deleted",
    "_op",
    "_problems",
    "_raw",
    "applied",
    "company",
    "_custom",
    "invoice",
    "issued_on",
    "lines",
    "number",
    "reason",
    "refund",
    "remaining",
    "remaining_currency",
    "status",
    "total",
    "total_currency"
FROM read_parquet('/srv/lake/credit_note_log/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
QUALIFY row_number() OVER (PARTITION BY "date", "_row_id") = 1;

CREATE OR REPLACE VIEW "credit_note" AS
SELECT
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "_id",
    "_key",
    "_version",
    "_event_time",
    "_deleted",
    "_op",
    "_problems",
    "_raw",
    "applied",
    "company",
    "_custom",
    "invoice",
    "issued_on",
    "lines",
    "number",
    "reason",
    "refund",
    "remaining",
    "remaining_currency",
    "status",
    "total",
    "total_currency"
FROM (
    FROM read_parquet('/srv/lake/credit_note_log/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
    QUALIFY row_number() OVER (PARTITION BY "_tenant", "_id" ORDER BY "_epoch" DESC, "_version" DESC, "_seq" DESC) = 1
)
WHERE NOT "_deleted";

CREATE OR REPLACE VIEW "custom_object_log" AS
SELECT
    "date",
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "_id",
    "_key",
    "_version",
    "_event_time",
    "_deleted",
    "_op",
    "_problems",
    "_raw",
    "company",
    "contact",
    "_custom",
    "deal",
    "name"
FROM read_parquet('/srv/lake/custom_object_log/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
QUALIFY row_number() OVER (PARTITION BY "date", "_row_id") = 1;

CREATE OR REPLACE VIEW "custom_object" AS
SELECT
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "_id",
    "_key",
    "_version",
    "_event_time",
    "_deleted",
    "_op",
    "_problems",
    "_raw",
    "company",
    "contact",
    "_custom",
    "deal",
    "name"
FROM (
    FROM read_parquet('/srv/lake/custom_object_log/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
    QUALIFY row_number() OVER (PARTITION BY "_tenant", "_id" ORDER BY "_epoch" DESC, "_version" DESC, "_seq" DESC) = 1
)
WHERE NOT "_deleted";

CREATE OR REPLACE VIEW "deal_log" AS
SELECT
    "date",
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "_id",
    "_key",
    "_version",
    "_event_time",
    "_deleted",
    "_op",
    "_problems",
    "_raw",
    "amount",
    "amount_currency",
    "close_date",
    "company",
    "contact",
    "_custom",
    "lines",
    "lost",
    "name",
    "pipeline",
    "stage",
    "won"
FROM read_parquet('/srv/lake/deal_log/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
QUALIFY row_number() OVER (PARTITION BY "date", "_row_id") = 1;

CREATE OR REPLACE VIEW "deal" AS
SELECT
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "_id",
    "_key",
    "_version",
    "_event_time",
    "_deleted",
    "_op",
    "_problems",
    "_raw",
    "amount",
    "amount_currency",
    "close_date",
    "company",
    "contact",
    "_custom",
    "lines",
    "lost",
    "name",
    "pipeline",
    "stage",
    "won"
FROM (
    FROM read_parquet('/srv/lake/deal_log/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
    QUALIFY row_number() OVER (PARTITION BY "_tenant", "_id" ORDER BY "_epoch" DESC, "_version" DESC, "_seq" DESC) = 1
)
WHERE NOT "_deleted";

CREATE OR REPLACE VIEW "dispute_log" AS
SELECT
    "date",
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "_id",
    "_key",
    "_version",
    "_event_time",
    "_deleted",
    "_op",
    "_problems",
    "_raw",
    "amount",
    "amount_currency",
    "company",
    "_custom",
    "funds_taken",
    "invoice",
    "opened_on",
    "payment",
    "reason",
    "reference",
    "respond_by",
    "status"
FROM read_parquet('/srv/lake/dispute_log/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
QUALIFY row_number() OVER (PARTITION BY "date", "_row_id") = 1;

CREATE OR REPLACE VIEW "dispute" AS
SELECT
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "_id",
    "_key",
    "_version",
    "_event_time",
    "_deleted",
    "_op",
    "_problems",
    "_raw",
    "amount",
    "amount_currency",
    "company",
    "_custom",
    "funds_taken",
    "invoice",
    "opened_on",
    "payment",
    "reason",
    "reference",
    "respond_by",
    "status"
FROM (
    FROM read_parquet('/srv/lake/dispute_log/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
    QUALIFY row_number() OVER (PARTITION BY "_tenant", "_id" ORDER BY "_epoch" DESC, "_version" DESC, "_seq" DESC) = 1
)
WHERE NOT "_deleted";

CREATE OR REPLACE VIEW "events" AS
SELECT
    "date",
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "connection",
    "entity",
    "op",
    "external_id",
    "data",
    "trace_id"
FROM read_parquet('/srv/lake/events/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
QUALIFY row_number() OVER (PARTITION BY "date", "_row_id") = 1;

CREATE OR REPLACE VIEW "invoice_log" AS
SELECT
    "date",
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "_id",
    "_key",
    "_version",
    "_event_time",
    "_deleted",
    "_op",
    "_problems",
    "_raw",
    "amount_due",
    "amount_due_currency",
    "amount_paid",
    "amount_paid_currency",
    "company",
    "contact",
    "_custom",
    "deal",
    "due_on",
    "issued_on",
    "lines",
    "memo",
    "number",
    "order_",
    "status",
    "tax",
    "tax_currency",
    "total",
    "total_currency",
    "url"
FROM read_parquet('/srv/lake/invoice_log/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
QUALIFY row_number() OVER (PARTITION BY "date", "_row_id") = 1;

CREATE OR REPLACE VIEW "invoice" AS
SELECT
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "_id",
    "_key",
    "_version",
    "_event_time",
    "_deleted",
    "_op",
    "_problems",
    "_raw",
    "amount_due",
    "amount_due_currency",
    "amount_paid",
    "amount_paid_currency",
    "company",
    "contact",
    "_custom",
    "deal",
    "due_on",
    "issued_on",
    "lines",
    "memo",
    "number",
    "order_",
    "status",
    "tax",
    "tax_currency",
    "total",
    "total_currency",
    "url"
FROM (
    FROM read_parquet('/srv/lake/invoice_log/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
    QUALIFY row_number() OVER (PARTITION BY "_tenant", "_id" ORDER BY "_epoch" DESC, "_version" DESC, "_seq" DESC) = 1
)
WHERE NOT "_deleted";

CREATE OR REPLACE VIEW "order_log" AS
SELECT
    "date",
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "_id",
    "_key",
    "_version",
    "_event_time",
    "_deleted",
    "_op",
    "_problems",
    "_raw",
    "company",
    "contact",
    "_custom",
    "deal",
    "lines",
    "number",
    "placed_on",
    "status",
    "tax",
    "tax_currency",
    "total",
    "total_currency"
FROM read_parquet('/srv/lake/order_log/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
QUALIFY row_number() OVER (PARTITION BY "date", "_row_id") = 1;

CREATE OR REPLACE VIEW "order" AS
SELECT
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "_id",
    "_key",
    "_version",
    "_event_time",
    "_deleted",
    "_op",
    "_problems",
    "_raw",
    "company",
    "contact",
    "_custom",
    "deal",
    "lines",
    "number",
    "placed_on",
    "status",
    "tax",
    "tax_currency",
    "total",
    "total_currency"
FROM (
    FROM read_parquet('/srv/lake/order_log/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
    QUALIFY row_number() OVER (PARTITION BY "_tenant", "_id" ORDER BY "_epoch" DESC, "_version" DESC, "_seq" DESC) = 1
)
WHERE NOT "_deleted";

CREATE OR REPLACE VIEW "outcomes" AS
SELECT
    "date",
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "event_id",
    "connection",
    "entity",
    "object",
    "record",
    "state",
    "effect",
    "external_id",
    "number",
    "url",
    "document_hash",
    "document_seq",
    "attempts",
    "error_kind",
    "error_message",
    "error_field",
    "error_code",
    "written_at",
    "trace_id"
FROM read_parquet('/srv/lake/outcomes/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
QUALIFY row_number() OVER (PARTITION BY "date", "_row_id") = 1;

CREATE OR REPLACE VIEW "payment_log" AS
SELECT
    "date",
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "_id",
    "_key",
    "_version",
    "_event_time",
    "_deleted",
    "_op",
    "_problems",
    "_raw",
    "amount",
    "amount_currency",
    "applied",
    "company",
    "_custom",
    "invoice",
    "method",
    "received_on",
    "reference",
    "status"
FROM read_parquet('/srv/lake/payment_log/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
QUALIFY row_number() OVER (PARTITION BY "date", "_row_id") = 1;

CREATE OR REPLACE VIEW "payment" AS
SELECT
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "_id",
    "_key",
    "_version",
    "_event_time",
    "_deleted",
    "_op",
    "_problems",
    "_raw",
    "amount",
    "amount_currency",
    "applied",
    "company",
    "_custom",
    "invoice",
    "method",
    "received_on",
    "reference",
    "status"
FROM (
    FROM read_parquet('/srv/lake/payment_log/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
    QUALIFY row_number() OVER (PARTITION BY "_tenant", "_id" ORDER BY "_epoch" DESC, "_version" DESC, "_seq" DESC) = 1
)
WHERE NOT "_deleted";

CREATE OR REPLACE VIEW "product_log" AS
SELECT
    "date",
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "_id",
    "_key",
    "_version",
    "_event_time",
    "_deleted",
    "_op",
    "_problems",
    "_raw",
    "active",
    "cost",
    "cost_currency",
    "_custom",
    "description",
    "kind",
    "name",
    "price",
    "price_currency",
    "sku",
    "tax_code"
FROM read_parquet('/srv/lake/product_log/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
QUALIFY row_number() OVER (PARTITION BY "date", "_row_id") = 1;

CREATE OR REPLACE VIEW "product" AS
SELECT
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "_id",
    "_key",
    "_version",
    "_event_time",
    "_deleted",
    "_op",
    "_problems",
    "_raw",
    "active",
    "cost",
    "cost_currency",
    "_custom",
    "description",
    "kind",
    "name",
    "price",
    "price_currency",
    "sku",
    "tax_code"
FROM (
    FROM read_parquet('/srv/lake/product_log/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
    QUALIFY row_number() OVER (PARTITION BY "_tenant", "_id" ORDER BY "_epoch" DESC, "_version" DESC, "_seq" DESC) = 1
)
WHERE NOT "_deleted";

CREATE OR REPLACE VIEW "quote_log" AS
SELECT
    "date",
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "_id",
    "_key",
    "_version",
    "_event_time",
    "_deleted",
    "_op",
    "_problems",
    "_raw",
    "company",
    "contact",
    "_custom",
    "deal",
    "expires_on",
    "issued_on",
    "lines",
    "name",
    "number",
    "status",
    "total",
    "total_currency",
    "url"
FROM read_parquet('/srv/lake/quote_log/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
QUALIFY row_number() OVER (PARTITION BY "date", "_row_id") = 1;

CREATE OR REPLACE VIEW "quote" AS
SELECT
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "_id",
    "_key",
    "_version",
    "_event_time",
    "_deleted",
    "_op",
    "_problems",
    "_raw",
    "company",
    "contact",
    "_custom",
    "deal",
    "expires_on",
    "issued_on",
    "lines",
    "name",
    "number",
    "status",
    "total",
    "total_currency",
    "url"
FROM (
    FROM read_parquet('/srv/lake/quote_log/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
    QUALIFY row_number() OVER (PARTITION BY "_tenant", "_id" ORDER BY "_epoch" DESC, "_version" DESC, "_seq" DESC) = 1
)
WHERE NOT "_deleted";

CREATE OR REPLACE VIEW "refund_log" AS
SELECT
    "date",
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "_id",
    "_key",
    "_version",
    "_event_time",
    "_deleted",
    "_op",
    "_problems",
    "_raw",
    "amount",
    "amount_currency",
    "company",
    "_custom",
    "invoice",
    "method",
    "payment",
    "reason",
    "reference",
    "refunded_on",
    "status"
FROM read_parquet('/srv/lake/refund_log/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
QUALIFY row_number() OVER (PARTITION BY "date", "_row_id") = 1;

CREATE OR REPLACE VIEW "refund" AS
SELECT
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "_id",
    "_key",
    "_version",
    "_event_time",
    "_deleted",
    "_op",
    "_problems",
    "_raw",
    "amount",
    "amount_currency",
    "company",
    "_custom",
    "invoice",
    "method",
    "payment",
    "reason",
    "reference",
    "refunded_on",
    "status"
FROM (
    FROM read_parquet('/srv/lake/refund_log/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
    QUALIFY row_number() OVER (PARTITION BY "_tenant", "_id" ORDER BY "_epoch" DESC, "_version" DESC, "_seq" DESC) = 1
)
WHERE NOT "_deleted";

CREATE OR REPLACE VIEW "subscription_log" AS
SELECT
    "date",
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "_id",
    "_key",
    "_version",
    "_event_time",
    "_deleted",
    "_op",
    "_problems",
    "_raw",
    "amount",
    "amount_currency",
    "company",
    "_custom",
    "interval_",
    "lines",
    "period_end_on",
    "started_on",
    "status"
FROM read_parquet('/srv/lake/subscription_log/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
QUALIFY row_number() OVER (PARTITION BY "date", "_row_id") = 1;

CREATE OR REPLACE VIEW "subscription" AS
SELECT
    "_tenant",
    "_row_id",
    "_epoch",
    "_seq",
    "_synced_at",
    "_schema_version",
    "_id",
    "_key",
    "_version",
    "_event_time",
    "_deleted",
    "_op",
    "_problems",
    "_raw",
    "amount",
    "amount_currency",
    "company",
    "_custom",
    "interval_",
    "lines",
    "period_end_on",
    "started_on",
    "status"
FROM (
    FROM read_parquet('/srv/lake/subscription_log/date=*/*.parquet', hive_partitioning = true, union_by_name = true)
    QUALIFY row_number() OVER (PARTITION BY "_tenant", "_id" ORDER BY "_epoch" DESC, "_version" DESC, "_seq" DESC) = 1
)
WHERE NOT "_deleted";
