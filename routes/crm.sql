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
