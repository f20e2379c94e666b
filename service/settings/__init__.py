"""The settings by what they are about; `service.config` reads them all."""
