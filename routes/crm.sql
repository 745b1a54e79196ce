-- The contacts of the CRM: one row per person, known by the e-mail address in lower case.
-- Runs as it is on SQLite and PostgreSQL. The columns are the fields of routes.models.Contact.
CREATE TABLE IF NOT EXISTS contacts (
    email        VARCHAR(254) NOT NULL PRIMARY KEY,
    first_name   VARCHAR(100) NOT NULL,              -- '' when a source gives one name only
    last_name    VARCHAR(100) NOT NULL,
    phone        VARCHAR(16),                        -- E.164: + and up to 15 digits
    company      VARCHAR(200),
    country      CHAR(2),                            -- ISO 3166-1 alpha-2
    budget_cents BIGINT CHECK (budget_cents >= 0),   -- hundredths: no binary fraction ever touches money
    currency     CHAR(3),                            -- ISO 4217; null exactly when the budget is
    vip          BOOLEAN NOT NULL,
    source       VARCHAR(20) NOT NULL,
    lead_at      CHAR(20) NOT NULL,                  -- UTC, 2026-11-20T09:15:00Z: sorts as text
    CHECK ((budget_cents IS NULL) = (currency IS NULL))
);

-- Contacts that have not been compared with the others yet, or not since they were changed.
CREATE TABLE IF NOT EXISTS unchecked (
    email        VARCHAR(254) NOT NULL PRIMARY KEY
);

-- Where contacts that may be one person are looked for: contacts in one block are compared.
CREATE TABLE IF NOT EXISTS blocks (
    block        VARCHAR(300) NOT NULL,
    email        VARCHAR(254) NOT NULL,
    PRIMARY KEY (block, email)
);
CREATE INDEX IF NOT EXISTS blocks_of ON blocks (email);

-- Contacts that may be one person; the columns are the fields of routes.likeness.Lookalike.
CREATE TABLE IF NOT EXISTS lookalikes (
    one          VARCHAR(254) NOT NULL,
    other        VARCHAR(254) NOT NULL,
    probability  DOUBLE PRECISION NOT NULL,
    verdict      VARCHAR(10) NOT NULL,              -- same, or review
    reasons      VARCHAR(400) NOT NULL,             -- each with its weight, as a power of two
    PRIMARY KEY (one, other)
);
